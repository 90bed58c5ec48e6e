//! Results to HTML, SVG, Markdown and JSON.
#![forbid(unsafe_code)]
