//! Renders plans and events: terminal, table, JSON.
