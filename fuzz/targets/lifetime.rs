#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crmauth_fuzz::properties::hold("lifetime", data));
