"""The main job on real documents: index them, edit some, index again, ask a question."""
