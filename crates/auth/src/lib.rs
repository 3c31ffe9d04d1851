//! Credentials in, callers out: API keys, JWTs, session cookies.
