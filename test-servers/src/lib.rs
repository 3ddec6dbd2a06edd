//! Servers for the tests: installs and starts real ones, and has careless ones of its own.
