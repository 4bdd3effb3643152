import StrictJSON

/// What a job asks of Slurm; nil: the server's default.
public struct SlurmRequest: Codable, Sendable, Hashable {
  public var partition: String?
  /// Of each node.
  public var cpus: Int?
  /// Of each node.
  public var memory: ByteSize?
  /// That an attempt may take.
  public var time: SlurmTime?
  /// Features that nodes must have, as `sbatch --constraint` takes them.
  public var constraint: String?

  public init(
    partition: String? = nil, cpus: Int? = nil, memory: ByteSize? = nil, time: SlurmTime? = nil, constraint: String? = nil
  ) {
    (self.partition, self.cpus, self.memory, self.time, self.constraint) = (partition, cpus, memory, time, constraint)
  }

  /// With what others say in place of what this leaves open.
  public func completed(by defaults: SlurmRequest) -> SlurmRequest {
    SlurmRequest(
      partition: partition ?? defaults.partition, cpus: cpus ?? defaults.cpus, memory: memory ?? defaults.memory,
      time: time ?? defaults.time, constraint: constraint ?? defaults.constraint)
  }
}

extension SlurmRequest {
  /// Names of partitions: they become an argument of sbatch.
  public static func isPartition(_ text: String) -> Bool { ResourceName.isValid(text) && !text.hasPrefix("-") }

  /// Names of features with Slurm's operators between them.
  public static func isConstraint(_ text: String) -> Bool {
    (1...256).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: "-")
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "._-&|*,[]()".utf8.contains(byte)
        }
      }
  }
}

extension RequestReader {
  /// The members of `slurm`.
  mutating func slurm() -> SlurmRequest? {
    nested("slurm") { reader in
      SlurmRequest(
        partition: reader.text("partition", expected: "a partition's name", SlurmRequest.isPartition),
        cpus: reader.int("cpus", in: 1...4096),
        memory: reader.written("memory") { $0.bytes > 0 }, time: reader.written("time"),
        constraint: reader.text("constraint", expected: "features with Slurm's operators, as avx512&bigmem", SlurmRequest.isConstraint))
    }
  }

  private mutating func written<Value: WrittenValue>(_ field: String, _ isValid: (Value) -> Bool = { _ in true }) -> Value? {
    text(field, expected: Value.expected) { Value($0).map(isValid) ?? false }.flatMap { Value($0) }
  }

  /// Nodes that one job computes on.
  mutating func nodes() -> Int? { int("nodes", in: 1...1024) }
}
