/// What becomes of a delimiter when a piece of text is split at it.
enum SplitBehavior: String, Sendable, CaseIterable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  init(_ node: JSONNode) throws(TokenizerError) {
    let name = try node.string()
    guard let behavior = SplitBehavior(rawValue: name) else {
      throw .unsupported(path: node.path, feature: "the split behavior \"\(name)\"")
    }
    self = behavior
  }
}

/// The pieces of one text as its parts arrive, in order, each a delimiter or what stands between two.
struct PieceCollector {
  private let behavior: SplitBehavior
  private(set) var pieces: [Range<Int>] = []
  private var piece = -1
  private var firstOfPiece = 0
  private var previousIsDelimiter = false

  init(_ behavior: SplitBehavior, capacity: Int) {
    self.behavior = behavior
    pieces.reserveCapacity(capacity)
  }

  /// Adds a part of the piece number `piece`; parts of different pieces are never joined.
  mutating func add(_ part: Range<Int>, of piece: Int, isDelimiter: Bool) {
    let isFirst = piece != self.piece
    if isFirst {
      self.piece = piece
      firstOfPiece = pieces.count
    }
    let previous = isFirst ? false : previousIsDelimiter
    previousIsDelimiter = isDelimiter
    let joins =
      switch behavior {
      case .removed, .isolated: false
      case .mergedWithPrevious: isDelimiter && !previous
      // Seen from the end, delimiters pair up with what follows: in a run of delimiters only the last has a follower.
      case .mergedWithNext: !isDelimiter && previous
      case .contiguous: isDelimiter == previous
      }
    if behavior == .removed, isDelimiter { return }
    if joins, pieces.count > firstOfPiece, let last = pieces.popLast() {
      pieces.append(last.lowerBound..<part.upperBound)
    } else {
      pieces.append(part)
    }
  }
}
