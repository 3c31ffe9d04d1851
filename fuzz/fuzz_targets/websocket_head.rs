#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass_fuzz_targets::websocket_head(input));
