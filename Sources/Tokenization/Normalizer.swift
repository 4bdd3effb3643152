/// `normalizer` of tokenizer.json: rewrites text before it is cut.
enum Normalizer: Sendable {
  case sequence([Normalizer])
  case canonicalComposition
  case prepend([UInt8])
  case replace(TextPattern, with: [UInt8])

  init(_ node: JSONNode) throws(TokenizerError) {
    let type = try node.required("type")
    switch try type.string() {
    case "Sequence":
      try node.allowOnly(["type", "normalizers"])
      var members: [Normalizer] = []
      for element in try node.required("normalizers").elements() { members.append(try Normalizer(element)) }
      self = .sequence(members)
    case "NFC":
      try node.allowOnly(["type"])
      self = .canonicalComposition
    case "Prepend":
      try node.allowOnly(["type", "prepend"])
      self = .prepend(Array(try node.required("prepend").string().utf8))
    case "Replace":
      try node.allowOnly(["type", "pattern", "content"])
      self = .replace(
        try TextPattern.read(try node.required("pattern")), with: Array(try node.required("content").string().utf8))
    case let name:
      throw .unsupported(path: type.path, feature: "the normalizer \"\(name)\"")
    }
  }

  /// - Throws: `textTooLong` if `bytes` grows beyond `limit`.
  func apply(to bytes: inout [UInt8], limit: Int) throws(TokenizerError) {
    switch self {
    case .sequence(let members):
      for member in members { try member.apply(to: &bytes, limit: limit) }
    case .canonicalComposition:
      CanonicalComposition.apply(to: &bytes)
    case .prepend(let prefix):
      guard !bytes.isEmpty else { return }
      bytes.insert(contentsOf: prefix, at: 0)
    case .replace(let pattern, let content):
      var output: [UInt8] = []
      var isTooLong = false
      try pattern.forEachPart(of: [0..<bytes.count], in: bytes) { _, part, isMatch in
        isTooLong = isTooLong || output.count > limit
        guard !isTooLong else { return }
        if isMatch { output.append(contentsOf: content) } else { output.append(contentsOf: bytes[part]) }
      }
      bytes = output
    }
    guard bytes.count <= limit else { throw .textTooLong(bytes: bytes.count, limit: limit) }
  }
}
