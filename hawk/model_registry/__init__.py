"""Models, their providers, prices, limits and use: what the LLM proxy goes by, and what administrators change."""
