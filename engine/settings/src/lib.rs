//! Every setting, declared once: name, type, default, bounds, scope, documentation.
#![forbid(unsafe_code)]
