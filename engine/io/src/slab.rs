//! Operations in flight by id. An id is never given twice, so a late or double completion can't be taken for another's.

/// The id of an operation: the slot in the lower half, the slot's generation in the upper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OperationId(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, value: T) -> OperationId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        OperationId(u64::from(slot.generation) << 32 | u64::from(index))
    }

    pub(crate) fn get_mut(&mut self, id: OperationId) -> Option<&mut T> {
        self.slot(id)?.value.as_mut()
    }

    pub(crate) fn remove(&mut self, id: OperationId) -> Option<T> {
        let slot = self.slot(id)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.0 as u32);
        Some(value)
    }

    fn slot(&mut self, id: OperationId) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(id.0 as u32 as usize)?;
        (slot.generation == (id.0 >> 32) as u32).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_operation_once() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(a), Some('a'));
        let c = slab.insert('c');
        assert_ne!(a, c, "the slot is used again under another id");
        assert_eq!((slab.remove(a), slab.get_mut(a)), (None, None));
        assert_eq!((slab.remove(c), slab.remove(b)), (Some('c'), Some('b')));
        assert_eq!(slab.remove(OperationId(77)), None);
    }
}
