//! See `flotilla_fuzz::cron`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| flotilla_fuzz::cron(input));
