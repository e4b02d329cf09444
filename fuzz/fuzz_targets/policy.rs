//! See `flotilla_fuzz::policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| flotilla_fuzz::policy(input));
