import StrictJSON
import Transformer

/// report.json: what was done to each layer and what it cost. Holds no times, so that equal jobs give equal bytes.
public struct QuantizationReport: Sendable {
  /// The job's request, as it was submitted.
  public let request: JSONValue
  public let outcomes: [LayerOutcome]
  public let before: Perplexity?
  public let after: Perplexity?
  /// Calibration sequences and tokens of each; nil for methods without calibration.
  public let calibration: (samples: Int, length: Int)?
  public let dropped: [NonFiniteActivation]
  public let peaks: [[ActivationOperation: Float]]
  /// Whether fast kernels will run the result; nil for single layers.
  public let serving: ServingPreflight?
  public let warnings: [String]

  public init(
    request: JSONValue, outcomes: [LayerOutcome], before: Perplexity? = nil, after: Perplexity? = nil,
    calibration: (samples: Int, length: Int)? = nil, dropped: [NonFiniteActivation] = [], peaks: [[ActivationOperation: Float]] = [],
    serving: ServingPreflight? = nil, warnings: [String]
  ) {
    self.request = request
    self.outcomes = outcomes
    self.before = before
    self.after = after
    self.calibration = calibration
    self.dropped = dropped
    self.peaks = peaks
    self.serving = serving
    self.warnings = warnings
  }

  public var meanRelativeLoss: Double? {
    let losses = outcomes.compactMap(\.relativeLoss)
    return losses.isEmpty ? nil : losses.reduce(0, +) / Double(losses.count)
  }

  public var json: JSONValue {
    var report: JSONObject = ["quantizer": .string(QuantizationSettings.quantizer), "request": request]
    if let calibration {
      report["calibration"] = .object([
        "samples": .integer(Int64(calibration.samples)), "sequence_length": .integer(Int64(calibration.length)),
        "dropped": .array(dropped.map { .string($0.description) }),
      ])
    }
    if let before, let after {
      report["evaluation"] = .object([
        "perplexity_before": .number(before.value), "perplexity_after": .number(after.value), "tokens": .integer(Int64(after.tokens)),
      ])
    }
    report["mean_relative_loss"] = optional(meanRelativeLoss)
    report["degraded"] = .bool(outcomes.contains { $0.degradedBy != nil })
    if !peaks.isEmpty {
      report["activation_peaks"] = .array(
        peaks.map { peaks in
          var block = JSONObject()
          for operation in ActivationOperation.allCases {
            if let peak = peaks[operation] { block[operation.rawValue] = .number(Double(peak)) }
          }
          return .object(block)
        })
    }
    if let serving { report["serving"] = serving.json }
    report["warnings"] = .array(warnings.map(JSONValue.string))
    report["layers"] = .array(outcomes.map(\.json))
    return .object(report)
  }
}

extension LayerOutcome {
  fileprivate var json: JSONValue {
    .object([
      "name": .string(layer.name),
      "shape": .array([.integer(Int64(layer.outputs)), .integer(Int64(layer.inputs))]),
      "method": .string(method.rawValue),
      "bits": bits.map { .integer(Int64($0)) } ?? .null,
      "group_size": groupSize.map { .integer(Int64($0)) } ?? .null,
      "degraded_by": degradedBy.map { .string($0.rawValue) } ?? .null,
      "damping": optional(damping),
      "loss": optional(loss),
      "relative_loss": optional(relativeLoss),
      "kept": .object([
        "scale_search": optional(kept.scaleSearch), "scale_refinement": optional(kept.scaleRefinement),
        "error_compensation": optional(kept.errorCompensation),
      ]),
      "samples": .integer(Int64(samples)),
      "tokens": .integer(Int64(tokens)),
      "dead_columns": .integer(Int64(deadColumns)),
      "attempts": .array(attempts.map(\.json)),
    ])
  }
}

extension Attempt {
  fileprivate var json: JSONValue {
    .object([
      "number": .integer(Int64(number)),
      "outcome": .string(succeeded ? "succeeded" : "failed"),
      "cause": cause.map { .string($0.rawValue) } ?? .null,
      "detail": detail.map(JSONValue.string) ?? .null,
      "remedy": remedy.map { .string($0.rawValue) } ?? .null,
      "damping": .number(damping),
      "damping_origin": .string(origin.rawValue),
      "samples": .integer(Int64(samples)),
      "tokens": .integer(Int64(tokens)),
      "precision": .string(precision.rawValue),
      "info": .integer(Int64(info)),
      "smallest_pivot": optional(smallestPivot),
      "reciprocal_condition": optional(reciprocalCondition),
    ])
  }
}

private func optional(_ value: Double?) -> JSONValue { value.map(JSONValue.number) ?? .null }
