/// A text cut into the pieces within which tokens may form.
struct PreTokenizedText {
  /// Positions of symbols in a piece are 32 bits wide, and each rewriting may double the text or more.
  static let byteLimit = 1 << 30

  /// UTF-8.
  private(set) var bytes: [UInt8]
  /// In order; never empty ranges.
  private(set) var pieces: [Range<Int>]
  /// Whether the first piece begins what the caller passed to be encoded.
  let isAtStart: Bool

  init(bytes: [UInt8], isAtStart: Bool) {
    self.bytes = bytes
    self.isAtStart = isAtStart
    pieces = bytes.isEmpty ? [] : [0..<bytes.count]
  }

  mutating func split(by pattern: TextPattern, _ behavior: SplitBehavior, inverted: Bool = false) throws(TokenizerError) {
    var collector = PieceCollector(behavior, capacity: max(pieces.count, bytes.count / 4))
    try pattern.forEachPart(of: pieces, in: bytes) { piece, part, isMatch in
      collector.add(part, of: piece, isDelimiter: isMatch != inverted)
    }
    pieces = collector.pieces.filter { !$0.isEmpty }
  }

  /// Splits with every scalar of which `isDelimiter` holds as a delimiter.
  mutating func split(_ behavior: SplitBehavior, where isDelimiter: (UInt32) -> Bool) {
    var collector = PieceCollector(behavior, capacity: pieces.count)
    for (index, piece) in pieces.enumerated() {
      var covered = piece.lowerBound
      var position = piece.lowerBound
      while position < piece.upperBound {
        let (scalar, end) = bytes.scalar(at: position)
        if isDelimiter(scalar) {
          if covered < position { collector.add(covered..<position, of: index, isDelimiter: false) }
          collector.add(position..<end, of: index, isDelimiter: true)
          covered = end
        }
        position = end
      }
      if covered < piece.upperBound { collector.add(covered..<piece.upperBound, of: index, isDelimiter: false) }
    }
    pieces = collector.pieces
  }

  /// Replaces every piece: `body` appends the new bytes of a piece to `output`.
  ///
  /// - Throws: `textTooLong` if the text has grown beyond `byteLimit`.
  mutating func rewrite(
    _ body: (_ piece: ArraySlice<UInt8>, _ index: Int, _ output: inout [UInt8]) -> Void
  ) throws(TokenizerError) {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + bytes.count / 4)
    for index in pieces.indices {
      let start = output.count
      body(bytes[pieces[index]], index, &output)
      pieces[index] = start..<output.count
      guard output.count <= Self.byteLimit else { throw .textTooLong(bytes: output.count, limit: Self.byteLimit) }
    }
    bytes = output
  }
}
