"""A server for development and tests that answers like OpenAI's embeddings and batches, and Bedrock's Titan and Cohere; it has no model."""
