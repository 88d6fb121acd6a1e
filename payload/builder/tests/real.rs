//! The real thing: payloads of Debian's packages, from this computer's own apt sources.
