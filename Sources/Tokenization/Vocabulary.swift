import StrictJSON

/// The model's tokens, compared byte by byte: canonically equivalent spellings are different tokens.
struct Vocabulary: Sendable {
  private var ids: [ByteString: Int32] = [:]
  private var tokens: [Int32: String] = [:]
  private var lowScalarIDs = [Int32](repeating: -1, count: 0x200)
  private var highScalarIDs: [UInt32: Int32] = [:]
  private(set) var highestID: Int32 = -1

  /// Reads `model.vocab`, an object of token to id; no two tokens may share an id.
  init(_ node: JSONNode) throws(TokenizerError) {
    let object = try node.object()
    ids.reserveCapacity(object.count)
    tokens.reserveCapacity(object.count)
    for (token, value) in object.members {
      guard case .integer(let integer) = value, let id = Int32(exactly: integer), id >= 0, id < .max else {
        let member = JSONNode(value: value, path: node.path(of: token))
        _ = try member.tokenID()
        throw member.wrongKind(expected: "an integer")
      }
      if let other = tokens.updateValue(token, forKey: id) {
        throw .invalid(path: node.path(of: token), reason: "the id \(id) is that of the token \"\(other)\" too")
      }
      insert(token, id: id)
    }
  }

  private mutating func insert(_ token: String, id: Int32) {
    ids[ByteString(Array(token.utf8)[...])] = id
    highestID = max(highestID, id)
    let scalars = token.unicodeScalars
    guard let scalar = scalars.first?.value, scalars.dropFirst().isEmpty else { return }
    if scalar < lowScalarIDs.count {
      lowScalarIDs[Int(scalar)] = id
    } else {
      highScalarIDs[scalar] = id
    }
  }

  func id(of token: ArraySlice<UInt8>) -> Int32? { ids[ByteString(token)] }

  func id(of token: String) -> Int32? { id(of: Array(token.utf8)[...]) }

  func token(of id: Int32) -> String? { tokens[id] }

  /// The token that consists of this scalar alone.
  func id(ofScalar scalar: UInt32) -> Int32? {
    guard scalar < lowScalarIDs.count else { return highScalarIDs[scalar] }
    let id = lowScalarIDs[Int(scalar)]
    return id < 0 ? nil : id
  }
}

/// UTF-8 as a dictionary key.
private struct ByteString: Hashable {
  let bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}
