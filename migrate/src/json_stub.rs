#![allow(missing_docs)]
use crate::schema::*;
impl Schema {
    pub fn to_json(&self) -> String {
        let r = Registry { schema: self.clone(), shapes: vec![] };
        format!("{{\"hex\":\"{}\"}}", r.to_archive().iter().map(|b| format!("{b:02x}")).collect::<String>())
    }
    pub fn from_json(text: &str) -> Result<Schema, SchemaError> {
        let bad = || SchemaError::Archive("no".into());
        let v: serde_json::Value = serde_json::from_str(text).map_err(|_| bad())?;
        let h = v["hex"].as_str().ok_or_else(bad)?;
        let b: Vec<u8> = (0..h.len() / 2).map(|i| u8::from_str_radix(&h[2 * i..2 * i + 2], 16).unwrap()).collect();
        Ok(Registry::from_archive(&b)?.schema)
    }
}
