//! The properties that the tests share with the fuzz targets.

#[path = "../../tests/properties/mod.rs"]
pub mod properties;
