//! [`Usage`]: how much there is, and how much there may be.

/// Bytes and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of objects, of documents' bodies and of log entries, as they come from above.
    pub bytes: u64,
    /// Objects.
    pub objects: u64,
    /// Documents.
    pub documents: u64,
}

/// What a namespace, or a whole storage, may hold. `None` is without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QuotaLimits {
    /// The most bytes.
    pub bytes: Option<u64>,
    /// The most objects.
    pub objects: Option<u64>,
    /// The most documents.
    pub documents: Option<u64>,
}

impl QuotaLimits {
    /// At most so many bytes.
    pub const fn of_bytes(bytes: u64) -> Self {
        Self {
            bytes: Some(bytes),
            objects: None,
            documents: None,
        }
    }
}

impl Usage {
    pub(super) const fn bytes(bytes: u64) -> Self {
        Self {
            bytes,
            objects: 0,
            documents: 0,
        }
    }

    pub(super) const fn object(bytes: u64) -> Self {
        Self {
            bytes,
            objects: 1,
            documents: 0,
        }
    }

    pub(super) const fn document(bytes: u64) -> Self {
        Self {
            bytes,
            objects: 0,
            documents: 1,
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    /// Never less than nothing.
    pub(super) fn minus(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    pub(super) fn least(self, other: Self) -> Self {
        self.each(other, u64::min)
    }

    pub(super) fn share(self, parts: u64) -> Self {
        self.each(self, |amount, _| amount / parts)
    }

    pub(super) const fn fits(self, room: Self) -> bool {
        self.bytes <= room.bytes && self.objects <= room.objects && self.documents <= room.documents
    }

    fn each(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            bytes: combine(self.bytes, other.bytes),
            objects: combine(self.objects, other.objects),
            documents: combine(self.documents, other.documents),
        }
    }

    /// The three by name, as they are recorded and told.
    pub(super) const fn named(self) -> [(&'static str, u64); 3] {
        [
            ("bytes", self.bytes),
            ("objects", self.objects),
            ("documents", self.documents),
        ]
    }
}

impl From<QuotaLimits> for Usage {
    fn from(limits: QuotaLimits) -> Self {
        Self {
            bytes: limits.bytes.unwrap_or(u64::MAX),
            objects: limits.objects.unwrap_or(u64::MAX),
            documents: limits.documents.unwrap_or(u64::MAX),
        }
    }
}
