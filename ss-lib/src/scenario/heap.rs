//! A min-heap in memory of the caller's: what comes next, without an allocator.

/// Children of a place. Four of them lie in one or two cache lines, and halve the way down.
const ARITY: usize = 4;

pub(super) struct Heap<'a, T> {
    places: &'a mut [T],
    len: usize,
}

impl<'a, T: Copy + Ord> Heap<'a, T> {
    pub(super) fn new(places: &'a mut [T]) -> Self {
        Self { places, len: 0 }
    }

    pub(super) fn free(&self) -> usize {
        self.places.len() - self.len
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<T> {
        self.places[..self.len].first().copied()
    }

    /// Adds an item. The caller sees to it that there is a free place.
    pub(super) fn push(&mut self, item: T) {
        let mut at = self.len;
        self.len += 1;
        self.places[at] = item;
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.places[parent] <= item {
                break;
            }
            self.places.swap(parent, at);
            at = parent;
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let least = self.peek()?;
        self.len -= 1;
        let last = self.places[self.len];
        if self.len > 0 {
            self.replace_least(last);
        }
        Some(least)
    }

    /// Puts `item` in the place of the least one.
    #[inline]
    pub(super) fn replace_least(&mut self, item: T) {
        let places = &mut self.places[..self.len];
        let mut at = 0;
        while let Some(children) = places.get(ARITY * at + 1..) {
            let Some((&first, others)) = children.split_first() else { break };
            let (mut child, mut least) = (0, first);
            for (index, &other) in others.iter().take(ARITY - 1).enumerate() {
                if other < least {
                    (child, least) = (index + 1, other);
                }
            }
            if item <= least {
                break;
            }
            places[at] = least;
            at = ARITY * at + 1 + child;
        }
        places[at] = item;
    }
}

#[cfg(test)]
mod tests {
    use super::Heap;

    #[test]
    fn gives_out_in_order() {
        let mut places = [0_u32; 64];
        let mut heap = Heap::new(&mut places);
        for n in 0..64 {
            heap.push(n * 37 % 64);
        }
        assert_eq!(heap.free(), 0);
        for n in 0..32 {
            assert_eq!(heap.peek(), Some(n));
            heap.replace_least(n + 64);
        }
        for n in 32..96 {
            assert_eq!(heap.pop(), Some(n));
        }
        assert_eq!(heap.pop(), None);
    }
}
