//! Embedded and durable stores: API keys and grants.
