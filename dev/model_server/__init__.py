"""A server for development and tests that answers like OpenAI's embeddings and like Bedrock's Titan and Cohere; no model is behind it."""
