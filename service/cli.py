"""The ``failsoft`` command. Each of its commands is a file of ``service/commands``."""

from __future__ import annotations

try:
    import typer
except ModuleNotFoundError as error:
    raise SystemExit("This needs more packages; run pip install 'failsoft[serve]'.") from error

from failsoft.service.commands.check import check
from failsoft.service.commands.demo import demo
from failsoft.service.commands.doctor import doctor
from failsoft.service.commands.drain import drain
from failsoft.service.commands.replay import replay
from failsoft.service.commands.restart import restart
from failsoft.service.commands.rollout import rollout
from failsoft.service.commands.serve import serve
from failsoft.service.commands.top import top
from failsoft.service.commands.tree import tree

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """Supervised inference: models that keep answering while their workers fail."""


app.command()(demo)
app.command()(serve)
app.command()(check)
app.command()(replay)
app.command()(tree)
app.command()(top)
app.command()(restart)
app.command()(drain)
app.command()(rollout)
app.command()(doctor)


def main() -> None:
    """Run the command line."""
    app()
