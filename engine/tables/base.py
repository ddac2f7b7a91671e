"""What every table is made with."""

from sqlalchemy import Column, MetaData

metadata = MetaData()


def required(name: str, kind: object, **options: object) -> Column[object]:
    """A column that is never null."""
    return Column(name, kind, nullable=False, **options)  # type: ignore[arg-type]
