//! What the benchmark prints.

use serde_json::Value;

/// One figure: what was measured, and against what.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) work: &'static str,
    pub(crate) variant: &'static str,
    /// How many nodes, or whatever else the work is about.
    pub(crate) n: usize,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What the baseline is.
    pub(crate) baseline: &'static str,
    /// Value ÷ baseline; for rates, rate ÷ rate of the baseline.
    pub(crate) ratio: f64,
}

/// How figures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Figure {
    pub(crate) fn line(&self, form: Form) -> String {
        let Self { work, variant, n, value, unit, baseline, ratio } = self;
        match form {
            Form::Json => format!(
                r#"{{"work":"{work}","variant":"{variant}","n":{n},"value":{value:.3},"unit":"{unit}","baseline":"{baseline}","ratio":{ratio:.4}}}"#
            ),
            Form::Text => format!("{work:18} {variant:14} {n:>9}  {value:>14.3} {unit:10} {ratio:>9.3}x  {baseline}"),
        }
    }
}

/// Whether a line is a figure as a reader of the output expects it; the name of its work.
pub(crate) fn parse(line: &str) -> Option<String> {
    let figure: Value = serde_json::from_str(line).ok()?;
    let numbers = figure["n"].is_u64() && figure["value"].is_f64() && figure["ratio"].is_f64();
    let texts = figure["variant"].is_string() && figure["unit"].is_string() && figure["baseline"].is_string();
    (numbers && texts && figure.as_object()?.len() == 7).then(|| figure["work"].as_str().map(str::to_owned))?
}
