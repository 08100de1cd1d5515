"""The composition root: configuration, home, and how the parts are put together. Only this package knows them
all."""
