import JobModel
import Quantization

/// Checks a dataset line by line as it comes, in any parts.
package struct DatasetLines: Sendable {
  /// Bytes of a line, and values in it: it is read into memory.
  package static let (lineLimit, valueLimit) = (8 << 20, 1 << 20)

  private var line: [UInt8] = []
  private var number = 1
  private var rows = 0

  package init() {}

  /// Bytes in memory.
  var pending: Int { line.count }

  /// - Throws: `Problem` (422) that names the first bad line.
  package mutating func add(_ bytes: some BidirectionalCollection<UInt8>) throws(Problem) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      try append(rest[..<end])
      try check()
      number += 1
      rest = rest[rest.index(after: end)...]
    }
    try append(rest)
  }

  /// - Returns: How many rows there are.
  /// - Throws: `Problem` (422), also where there are none.
  package mutating func finish() throws(Problem) -> Int {
    try check()
    guard rows > 0 else {
      throw .invalidDataset("it has no rows; each line should be {\"text\": …} or {\"input_ids\": […]}")
    }
    return rows
  }

  private mutating func append(_ part: some Collection<UInt8>) throws(Problem) {
    guard line.count + part.count <= Self.lineLimit else {
      throw .invalidDataset("line \(number): it is longer than \(Self.lineLimit) bytes; cut it into several rows")
    }
    line.append(contentsOf: part)
  }

  private mutating func check() throws(Problem) {
    defer { line.removeAll(keepingCapacity: line.count < 1 << 16) }
    do {
      if try TextDataset.row(line, valueLimit: Self.valueLimit) != nil { rows += 1 }
    } catch {
      throw .invalidDataset("line \(number): \(error.reason)")
    }
  }
}

extension Problem {
  static func invalidDataset(_ detail: String) -> Problem {
    Problem(
      .invalidDataset, status: 422, title: "The dataset can't be used", detail: detail + "; nothing of it was kept")
  }
}
