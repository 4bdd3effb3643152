/// What a guide says that commands write; "…" stands for anything, a line of it alone for any lines.
struct ExpectedOutput {
  let lines: [String]

  /// What is missing or not expected; nil where all is as it should be.
  func difference(from output: String) -> String? {
    var actual = output.split(separator: "\n", omittingEmptySubsequences: false).map(Self.trimmed)
    if actual.last == "" { actual.removeLast() }
    // How many lines may have been read where the next expected line comes.
    var places: Set<Int> = [0]
    for line in lines.map({ Self.trimmed($0[...]) }) {
      let before = places
      places = line == "…" ? Set((places.min() ?? 0)...actual.count) : []
      for place in before where place < actual.count && Self.matches(line, actual[place]) { places.insert(place + 1) }
      guard places.isEmpty else { continue }
      return "expected: \(line)\n   found: \(before.min().flatMap { $0 < actual.count ? actual[$0] : nil } ?? "the end")"
    }
    return places.contains(actual.count) ? nil : "not expected: \(actual[places.max() ?? 0])"
  }

  private static func trimmed(_ line: Substring) -> String { String(line.reversed().drop(while: \.isWhitespace).reversed()) }

  private static func matches(_ pattern: String, _ line: String) -> Bool {
    let parts = pattern.split(separator: "…", omittingEmptySubsequences: false)
    guard parts.count > 1, let first = parts.first, let last = parts.last else { return pattern == line }
    guard line.hasPrefix(first) else { return false }
    var rest = line.dropFirst(first.count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let range = rest.firstRange(of: part) else { return false }
      rest = rest[range.upperBound...]
    }
    return rest.hasSuffix(last)
  }
}
