/// The tokens of one piece while they merge: a doubly linked list in arrays, and a heap of the merges to try.
///
/// One list serves many pieces, so that nothing is allocated for each. n symbols take O(n log n).
struct SymbolList {
  private static let none: Int32 = -1
  private var ids: [Int32] = []
  private var previous: [Int32] = []
  private var next: [Int32] = []
  /// Rank in the upper half, position of the left symbol in the lower: the least is the merge to do next.
  private var candidates: [UInt64] = []

  mutating func removeAll() {
    ids.removeAll(keepingCapacity: true)
    candidates.removeAll(keepingCapacity: true)
  }

  mutating func append(_ id: Int32) { ids.append(id) }

  /// Merges until no pair is left that merges, lowest rank first, then leftmost; appends what remains to `output`.
  mutating func merge(_ merges: MergeTable, into output: inout [Int32]) {
    link()
    for position in ids.indices.dropLast() { offer(position, merges) }
    while let candidate = popLeast() {
      let left = Int(candidate & 0xFFFF_FFFF)
      let rank = UInt32(candidate >> 32)
      guard ids[left] != Self.none, next[left] != Self.none else { continue }
      let right = Int(next[left])
      // A symbol that has merged since leaves its old candidates behind.
      guard merges.rank(ids[left], ids[right]) == rank else { continue }
      ids[left] = merges.result(rank: rank)
      ids[right] = Self.none
      next[left] = next[right]
      if next[left] != Self.none {
        previous[Int(next[left])] = Int32(left)
        offer(left, merges)
      }
      if previous[left] != Self.none { offer(Int(previous[left]), merges) }
    }
    for id in ids where id != Self.none { output.append(id) }
  }

  private mutating func link() {
    previous.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    for position in ids.indices {
      previous.append(Int32(position) - 1)
      next.append(position + 1 < ids.count ? Int32(position) + 1 : Self.none)
    }
  }

  private mutating func offer(_ left: Int, _ merges: MergeTable) {
    guard let rank = merges.rank(ids[left], ids[Int(next[left])]) else { return }
    candidates.append(UInt64(rank) << 32 | UInt64(left))
    var child = candidates.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard candidates[child] < candidates[parent] else { return }
      candidates.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func popLeast() -> UInt64? {
    guard let last = candidates.popLast() else { return nil }
    guard let least = candidates.first else { return last }
    candidates[0] = last
    var parent = 0
    while 2 * parent + 1 < candidates.count {
      var child = 2 * parent + 1
      if child + 1 < candidates.count, candidates[child + 1] < candidates[child] { child += 1 }
      guard candidates[child] < candidates[parent] else { break }
      candidates.swapAt(child, parent)
      parent = child
    }
    return least
  }
}
