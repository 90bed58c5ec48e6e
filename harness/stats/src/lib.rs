//! Histograms, intended-time recording, host snapshot, confidence intervals.
#![forbid(unsafe_code)]
