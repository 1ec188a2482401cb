"""``awsglue.transforms``: the class-style transforms over DynamicFrame."""

from __future__ import annotations

from typing import Any

from .dynamicframe import DynamicFrame

__all__ = ["ApplyMapping", "DropFields", "RenameField", "SelectFields"]


class ApplyMapping:
    """Select, rename and cast columns."""

    @classmethod
    def apply(cls, frame: DynamicFrame, mappings: list[tuple[str, str, str, str]], **options: Any) -> DynamicFrame:
        """Apply the transform to a frame."""
        return frame.apply_mapping(mappings)


class SelectFields:
    """Keep some columns only."""

    @classmethod
    def apply(cls, frame: DynamicFrame, paths: list[str], **options: Any) -> DynamicFrame:
        """Apply the transform to a frame."""
        return frame.select_fields(paths)


class DropFields:
    """Drop some columns."""

    @classmethod
    def apply(cls, frame: DynamicFrame, paths: list[str], **options: Any) -> DynamicFrame:
        """Apply the transform to a frame."""
        return frame.drop_fields(paths)


class RenameField:
    """Rename a column."""

    @classmethod
    def apply(cls, frame: DynamicFrame, old_name: str, new_name: str, **options: Any) -> DynamicFrame:
        """Apply the transform to a frame."""
        return frame.rename_field(old_name, new_name)
