"""Where images lie: repositories in ECR whose tags stay, or a registry of one's own."""

import json

import pulumi
import pulumi_aws as aws

from infra.lib.deployment import Deployment

IMAGES = ("api", "proxy", "viewer", "dagster", "runner")
UNTAGGED_DAYS = 14


class Registry(pulumi.ComponentResource):
    """The images of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__("hawk:core:Registry", deployment.naming.of("registry"), opts=deployment.inside)
        self._deployment = deployment
        images = deployment.config.images
        self._places: dict[str, pulumi.Output[str]] = {
            name: pulumi.Output.from_input(f"{images.registry.rstrip('/')}/hawk-{name}")
            if images.registry
            else self._repository(name).repository_url
            for name in IMAGES
        }
        self.register_outputs(dict(self._places))

    def image(self, name: str) -> pulumi.Output[str]:
        """Return an image with its tag."""
        return pulumi.Output.concat(self._places[name], ":", self._deployment.config.images.tag)

    def _repository(self, image: str) -> aws.ecr.Repository:
        name = self._deployment.naming
        options = pulumi.ResourceOptions(parent=self)
        repository = aws.ecr.Repository(
            name.of(image),
            name=f"{self._deployment.config.name}/hawk-{image}",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "AES256"}],
            force_delete=not self._deployment.config.keep_data,
            tags=name.tags(image),
            opts=options,
        )
        untagged = {
            "rulePriority": 1,
            "description": "what no tag names any more",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
        aws.ecr.LifecyclePolicy(
            name.of(image), repository=repository.name, policy=json.dumps({"rules": [untagged]}), opts=options
        )
        return repository
