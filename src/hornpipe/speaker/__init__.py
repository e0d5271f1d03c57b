"""TCP sessions between peers and the engine, on asyncio."""
