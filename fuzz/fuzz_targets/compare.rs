//! See `flotilla_fuzz::compare`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| flotilla_fuzz::compare(input));
