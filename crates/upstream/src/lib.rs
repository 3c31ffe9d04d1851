//! The way to OpenAI: wire types, calls, deadlines, error table.
