"""What loads of all engines share: where a model is, how far its load is, why it fails."""
