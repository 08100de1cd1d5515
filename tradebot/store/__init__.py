"""The tick and result store: embedded ClickHouse, the importers, the sample and its offline stand-in.

Nothing is imported here: the engine takes a quarter of a second to load, and only the verbs that read or
write ticks should pay for it. Take `open_store` from `tradebot.store.client`.
"""
