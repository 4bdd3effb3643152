import Foundation

/// What a `Range` header asks of a file (RFC 9110, section 14).
package enum ByteRange: Equatable, Sendable {
  /// No range that is served: the header is absent, malformed, of another unit, or asks for several ranges.
  case whole
  case part(Range<Int>)
  /// A well-formed range with no byte in the file.
  case notSatisfiable

  /// - Parameters:
  ///   - header: Such as `bytes=0-99`, `bytes=100-` or `bytes=-100`.
  ///   - size: Bytes of the file.
  package init(_ header: String?, size: Int) {
    guard let header, let equals = header.firstIndex(of: "="),
      header[..<equals].trimmingCharacters(in: .whitespaces).lowercased() == "bytes"
    else {
      self = .whole
      return
    }
    let bounds = header[header.index(after: equals)...].trimmingCharacters(in: .whitespaces)
      .split(separator: "-", omittingEmptySubsequences: false)
    guard bounds.count == 2, bounds.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      bounds.contains(where: { !$0.isEmpty })
    else {
      self = .whole
      return
    }
    // A number beyond Int is beyond any file.
    let (first, last) = (bounds[0].isEmpty ? nil : Int(bounds[0]) ?? .max, bounds[1].isEmpty ? nil : Int(bounds[1]) ?? .max)
    switch (first, last) {
    case (let first?, let last?) where first > last: self = .whole
    case (let first?, let last): self = first < size ? .part(first..<min(last ?? .max, size - 1) + 1) : .notSatisfiable
    case (nil, let count?): self = count > 0 && size > 0 ? .part(max(0, size - count)..<size) : .notSatisfiable
    case (nil, nil): self = .whole
    }
  }
}
