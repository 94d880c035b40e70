//! What is remembered of a migration.

use migrate::{Findings, Plan};

use crate::format::header::ByteOrder;
use crate::format::history::{DroppedField, Receipt, ReceiptKind, TypeReceipt};
use crate::kept::Moment;

/// The receipt of a plan that is applied.
pub(crate) fn of(plan: &Plan, findings: &Findings) -> Receipt {
    let (from, to) = (plan.old.fingerprint().0, plan.new.fingerprint().0);
    let mut receipt = Moment::now().receipt(ReceiptKind::Migrated, 0, from, to);
    receipt.byte_order = plan.foreign.map(|_| ByteOrder::NATIVE);
    let rewritten = plan.types.iter().filter(|step| step.rewritten);
    receipt.types = rewritten.filter_map(|step| of_type(plan, findings, step)).collect();
    receipt
}

fn of_type(plan: &Plan, findings: &Findings, step: &migrate::TypeStep) -> Option<TypeReceipt> {
    let (old, new) = (step.old?, step.new?);
    let (migrate::BodyStep::Struct(fields), migrate::Body::Struct(old_fields)) =
        (&step.body, &plan.old.types[old].body)
    else {
        return Some(TypeReceipt { name: plan.new.types[new].name.clone(), ..TypeReceipt::default() });
    };
    let dropped = fields.dropped.iter().filter_map(|dropped| old_fields.get(*dropped.path.first()?));
    Some(TypeReceipt {
        name: plan.new.types[new].name.clone(),
        records: findings.records.get(old).copied().unwrap_or(0),
        census: Vec::new(),
        dropped: dropped
            .map(|field| DroppedField { name: field.name.clone(), shape: field.shape.to_string() })
            .collect(),
    })
}
