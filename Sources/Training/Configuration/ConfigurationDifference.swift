/// One key whose value is not the same in two configurations.
public struct ConfigurationDifference: Sendable, CustomStringConvertible {
    public let key: String
    public let before: String
    public let after: String
    public let rule: ResumeRule

    public var description: String { "\(key): \(before) became \(after)" }
}

extension RunConfiguration {
    /// Every key that differs from the configuration that a checkpoint was made with, and what that means for a resume.
    public func differences(from saved: RunConfiguration) -> [ConfigurationDifference] {
        Setting.all.compactMap { setting in
            let before = Self.value(of: setting, in: saved)
            let after = Self.value(of: setting, in: self)
            guard before != after else { return nil }
            return ConfigurationDifference(key: setting.path, before: before, after: after, rule: setting.onResume)
        }
    }

    /// `null` for a key of a section that is null.
    private static func value(of setting: Setting, in configuration: RunConfiguration) -> String {
        let isPresent = Section.all.allSatisfy {
            !setting.path.hasPrefix($0.path + ".") || $0.isPresent(configuration)
        }
        return isPresent ? setting.write(configuration) : "null"
    }
}
