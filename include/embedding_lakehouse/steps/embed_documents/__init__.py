"""Embed what changed: detect, plan, chunk, price, embed, commit to a branch, audit, publish."""
