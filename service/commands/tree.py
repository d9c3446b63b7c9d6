"""``failsoft tree``."""

from __future__ import annotations

from failsoft.service.commands.running_service import DEFAULT_URL, TokenFile, Url, service_at


def tree(url: Url = DEFAULT_URL, token_file: TokenFile = None) -> None:
    """Show the tree of a running service: states, circuits, queues, restarts."""
    from rich.console import Console

    from failsoft.service.client.picture import take_picture
    from failsoft.service.page.rows import rows_of
    from failsoft.service.tree_view import tree_view

    with service_at(url, token_file) as client:
        picture = take_picture(client)
        Console().print(tree_view(rows_of(picture.tree, {}, picture.at), picture.at))
