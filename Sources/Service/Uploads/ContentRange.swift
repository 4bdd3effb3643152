import JobModel

/// Which bytes of a file the body of a `PUT` is: `Content-Range: bytes 0-99/1000` (RFC 9110, section 14.5).
package struct ContentRange: Equatable, Sendable {
  /// Not empty.
  package let range: Range<Int>
  /// Bytes of the whole file.
  package let total: Int

  var isLast: Bool { range.upperBound == total }

  /// - Throws: `Problem` (400).
  package init(_ header: String) throws(Problem) {
    guard let match = try? /bytes ([0-9]{1,19})-([0-9]{1,19})\/([0-9]{1,19}|\*)/.ignoresCase().wholeMatch(in: header) else {
      throw .invalidContentRange("is \"\(header.prefix(80))\"; it must be such as \"bytes 0-1048575/2147483648\"")
    }
    guard match.3 != "*" else { throw .invalidContentRange("must tell how large the whole file is") }
    guard let first = Int(match.1), let last = Int(match.2), let total = Int(match.3), first <= last, last < total else {
      throw .invalidContentRange("has a first byte after its last, or a last one after the file's end")
    }
    (range, self.total) = (first..<last + 1, total)
  }
}

extension Problem {
  static func invalidContentRange(_ detail: String) -> Problem {
    Problem(.invalidRequest, status: 400, title: "The Content-Range can't be used", detail: "Content-Range " + detail)
  }
}
