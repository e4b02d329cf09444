//! See `flotilla_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| flotilla_fuzz::config(input));
