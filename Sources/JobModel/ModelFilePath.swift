/// Where a file is within an uploaded model: names with slashes between, none of which begins with a dot.
public struct ModelFilePath: Hashable, Sendable, CustomStringConvertible {
  /// Most names.
  public static let depthLimit = 8

  /// One at least, each a `ResourceName`.
  public let segments: [String]

  /// - Throws: `Problem` (400).
  public init(_ text: String) throws(Problem) {
    try self.init(segments: text.split(separator: Character("/"), omittingEmptySubsequences: false).map { String($0) })
  }

  /// - Throws: `Problem` (400).
  public init(segments: [String]) throws(Problem) {
    guard segments.count <= Self.depthLimit else {
      throw .invalidPath("the path has \(segments.count) names, \(Self.depthLimit) are possible")
    }
    for segment in segments {
      guard ResourceName.isForUploads(segment) else {
        throw .invalidPath(
          "\"\(segment.prefix(120))\" must be 1 to 96 letters, digits, dots, dashes and underscores, and not begin with a dot")
      }
    }
    self.segments = segments
  }

  public var description: String { segments.joined(separator: "/") }
}

extension ResourceName {
  /// Names that begin with a dot are hidden in roots, so nothing is uploaded under them.
  public static func isForUploads(_ text: String) -> Bool { isValid(text) && !text.hasPrefix(".") }
}

extension Problem {
  public static func invalidPath(_ detail: String) -> Problem {
    Problem(.invalidRequest, status: 400, title: "The name can't be used", detail: detail)
  }
}
