import Foundation
import TestSupport
import Testing
import Yams

/// launch/kubernetes.yaml against the fields of Kubeflow's MPIJob v2beta1 and what its operator's validation asks for.
/// The API server refuses or drops fields that it does not know, so a misspelt one would be silent.
@Suite struct KubernetesTests {
    private typealias Object = [String: Any]

    private let job: Object
    private let spec: Object
    private let replicas: Object

    init() throws {
        let text = try String(contentsOfFile: SmallRun.project + "/launch/kubernetes.yaml", encoding: .utf8)
        job = try #require(try Yams.load(yaml: text) as? Object)
        spec = try #require(job["spec"] as? Object)
        replicas = try #require(spec["mpiReplicaSpecs"] as? Object)
    }

    private func expectOnly(_ known: Set<String>, in object: Object, _ name: String) {
        #expect(Set(object.keys).isSubset(of: known), "\(name) has fields that an MPIJob does not have")
    }

    @Test func theJobHasTheFieldsOfAnMPIJob() throws {
        #expect(job["apiVersion"] as? String == "kubeflow.org/v2beta1" && job["kind"] as? String == "MPIJob")
        expectOnly(["apiVersion", "kind", "metadata", "spec"], in: job, "the job")
        let name = try #require((job["metadata"] as? Object)?["name"] as? String)
        #expect(try #/[a-z0-9]([-a-z0-9]*[a-z0-9])?/#.wholeMatch(in: name + "-worker-999") != nil && name.count < 50)
        expectOnly(
            [
                "slotsPerWorker", "runLauncherAsWorker", "runPolicy", "mpiReplicaSpecs", "sshAuthMountPath",
                "launcherCreationPolicy", "mpiImplementation",
            ], in: spec, "spec")
        #expect(try #require(spec["slotsPerWorker"] as? Int) >= 1)
        #expect((spec["sshAuthMountPath"] as? String)?.hasPrefix("/") == true)
        let creation = spec["launcherCreationPolicy"] as? String ?? "AtStartup"
        #expect(["AtStartup", "WaitForWorkersReady"].contains(creation))
        #expect(["OpenMPI", "Intel", "MPICH"].contains(spec["mpiImplementation"] as? String ?? "OpenMPI"))
    }

    @Test func theRunPolicyIsOne() throws {
        let policy = try #require(spec["runPolicy"] as? Object)
        expectOnly(
            [
                "cleanPodPolicy", "ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit",
                "schedulingPolicy", "suspend", "managedBy",
            ], in: policy, "runPolicy")
        #expect(["None", "Running", "All"].contains(try #require(policy["cleanPodPolicy"] as? String)))
        #expect(try #require(policy["backoffLimit"] as? Int) >= 0)
    }

    @Test(arguments: ["Launcher", "Worker"]) func aReplicaHasAPod(_ kind: String) throws {
        #expect(Set(replicas.keys) == ["Launcher", "Worker"])
        let replica = try #require(replicas[kind] as? Object)
        expectOnly(["replicas", "restartPolicy", "template"], in: replica, kind)
        let count = try #require(replica["replicas"] as? Int)
        #expect(kind == "Launcher" ? count == 1 : count >= 1)
        #expect(["Never", "OnFailure"].contains(try #require(replica["restartPolicy"] as? String)))
        let pod = try #require((replica["template"] as? Object)?["spec"] as? Object)
        expectOnly(["terminationGracePeriodSeconds", "affinity", "containers", "volumes"], in: pod, "\(kind)'s pod")
        let volumes = Set(try #require(pod["volumes"] as? [Object]).compactMap { $0["name"] as? String })
        let containers = try #require(pod["containers"] as? [Object])
        #expect(!containers.isEmpty)
        for container in containers {
            expectOnly(
                ["name", "image", "workingDir", "command", "args", "resources", "volumeMounts"], in: container, kind)
            #expect(container["name"] is String && container["image"] is String)
            #expect(!(try #require(container["command"] as? [String])).isEmpty)
            for mount in try #require(container["volumeMounts"] as? [Object]) {
                #expect(volumes.contains(mount["name"] as? String ?? "") && mount["mountPath"] is String)
            }
        }
    }

    /// The launcher's own words, with the host file in the variable in which the operator gives it.
    @Test func theLaunchersCommandIsUnderstood() throws {
        let launcher = try #require(replicas["Launcher"] as? Object)
        let pod = try #require((launcher["template"] as? Object)?["spec"] as? Object)
        let container = try #require((pod["containers"] as? [Object])?.first)
        let command = try #require(container["command"] as? [String])
        let arguments = try #require(container["args"] as? [String])
        let program = try MPILauncher.product("pixpro")
        try withTemporaryDirectory { directory in
            let hosts = directory + "/hosts"
            try "localhost slots=1\n".write(toFile: hosts, atomically: true, encoding: .utf8)
            let planned = try runProcess(
                SmallRun.project + "/" + command[0],
                command.dropFirst() + ["--program", program, "--dry-run"] + arguments,
                environment: ["OMPI_MCA_orte_default_hostfile": hosts], directory: SmallRun.project, timeLimit: 30)
            #expect(planned.status == 0, "\(planned)")
            #expect(planned.output.contains("\(program) train \(arguments.joined(separator: " "))"), "\(planned)")
        }
        // Every rank of all workers gets its part of the batch.
        let workers = try #require((replicas["Worker"] as? Object)?["replicas"] as? Int)
        let ranks = workers * (try #require(spec["slotsPerWorker"] as? Int))
        let plan = try runProcess(
            program, ["plan", "--ranks", "\(ranks)"] + arguments, directory: SmallRun.project, timeLimit: 30)
        #expect(plan.status == 0 && plan.output.contains("ranks=\(ranks)\n"), "\(plan)")
    }
}
