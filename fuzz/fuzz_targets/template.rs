//! See `flotilla_fuzz::template`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| flotilla_fuzz::template(input));
