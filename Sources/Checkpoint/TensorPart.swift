/// A part of a stored tensor that is read under a name of its own: some neighbouring rows of it.
public struct TensorPart: Sendable, Hashable {
  public let name: String
  /// The stored one.
  public let tensor: String
  /// Elements before the part.
  public let offset: Int
  public let shape: [Int]

  public init(name: String, of tensor: String, offset: Int, shape: [Int]) {
    self.name = name
    self.tensor = tensor
    self.offset = offset
    self.shape = shape
  }
}

extension CheckpointFolder {
  /// The same checkpoint, where tensors are known by the names of their parts instead of their own.
  ///
  /// - Precondition: Parts lie within their tensors.
  /// - Throws: `CheckpointError.missingTensor`; `.doubledTensor` where a part has the name of another tensor.
  public func naming(_ parts: [TensorPart]) throws(CheckpointError) -> CheckpointFolder {
    let stored = Set(parts.map(\.tensor))
    var known: [String: NamedPart] = [:]
    for part in parts {
      let info = try info(part.tensor)
      let elements = part.shape.reduce(1, *)
      precondition(part.offset >= 0 && part.offset + elements <= info.elementCount)
      let bytes = part.offset * info.type.byteCount..<(part.offset + elements) * info.type.byteCount
      let named = NamedPart(
        info: TensorInfo(name: part.name, type: info.type, shape: part.shape), tensor: part.tensor, bytes: bytes)
      guard known.updateValue(named, forKey: part.name) == nil, !contains(part.name) || stored.contains(part.name) else {
        throw .doubledTensor(part.name, files: [part.tensor])
      }
    }
    return CheckpointFolder(self, parts: known, names: (tensorNames.filter { !stored.contains($0) } + known.keys).sorted())
  }
}

/// A part as it is looked up.
struct NamedPart: Sendable {
  let info: TensorInfo
  let tensor: String
  /// Of the stored tensor.
  let bytes: Range<Int>
}
