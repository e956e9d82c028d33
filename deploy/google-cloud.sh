#!/usr/bin/env bash
# Makes what Signalbox needs in a Google Cloud project, and can be run again at any time: what is there stays as it is.
#
#   deploy/google-cloud.sh <project> [region] [<topic> <host>]
#
# Service accounts with their roles, Workload Identity bindings, Pub/Sub topics and subscriptions, the image repository.
# With a topic and the service's host, Pub/Sub also pushes the topic's messages to https://<host>/push/pubsub; the setting that lets them in is printed.
# Indexes, rules and TTL of Firestore are deployed by `firebase deploy --only firestore`.
set -euo pipefail

usage="usage: deploy/google-cloud.sh <project> [region] [<topic> <host>]"
project="${1:?$usage}"
region="${2:-europe-west1}"
pushed_topic="${3:-}"
host="${4:-}"
if [[ $# -gt 4 || (-n "$pushed_topic" && ! "$host" =~ ^[A-Za-z0-9.-]+$) ]]; then
  echo "$usage" >&2
  exit 64
fi

# name: what runs as it. Roles: read and write Firestore, publish, and for the worker pull and write
# traces; nothing that administers.
api="signalbox-api@$project.iam.gserviceaccount.com"
worker="signalbox-worker@$project.iam.gserviceaccount.com"

main() {
  gcloud services enable --project="$project" --quiet \
    artifactregistry.googleapis.com container.googleapis.com firestore.googleapis.com monitoring.googleapis.com pubsub.googleapis.com \
    telemetry.googleapis.com

  service_account signalbox-api "Signalbox API"
  service_account signalbox-worker "Signalbox worker"
  role "$api" roles/datastore.user
  role "$worker" roles/datastore.user
  # Spans to Cloud Trace.
  role "$worker" roles/telemetry.tracesWriter
  identity "$api" signalbox-api
  identity "$worker" signalbox-worker

  # Work hints, events in, lifecycle events out, and what could not be delivered ten times.
  topic signalbox-work
  topic signalbox-events
  topic signalbox-lifecycle
  topic signalbox-dead-letter
  # A lost hint only delays: an hour is plenty, and no dead letter is wanted.
  subscription signalbox-work signalbox-work --ack-deadline=10 --message-retention-duration=1h
  # An event must not get lost: kept for a week, acknowledged or not, so that a restored database can read them again; put aside after
  # ten deliveries, per-key order.
  subscription signalbox-events signalbox-events --ack-deadline=30 --message-retention-duration=7d --retain-acked-messages --enable-message-ordering \
    --min-retry-delay=1s --max-retry-delay=10s --max-delivery-attempts=10 --dead-letter-topic=signalbox-dead-letter
  subscription signalbox-dead-letter signalbox-dead-letter --ack-deadline=60 --message-retention-duration=31d
  publisher "$api" signalbox-work
  publisher "$worker" signalbox-work
  publisher "$worker" signalbox-lifecycle
  subscriber "$worker" signalbox-work
  subscriber "$worker" signalbox-events
  # Pub/Sub itself forwards dead letters.
  local number agent
  number="$(gcloud projects describe "$project" --format='value(projectNumber)')"
  agent="service-$number@gcp-sa-pubsub.iam.gserviceaccount.com"
  publisher "$agent" signalbox-dead-letter
  subscriber "$agent" signalbox-events

  if [[ -n "$pushed_topic" ]]; then push "$agent"; fi

  if ! exists gcloud artifacts repositories describe signalbox --location="$region" --project="$project"; then
    gcloud artifacts repositories create signalbox --location="$region" --repository-format=docker --immutable-tags --project="$project" --quiet
  fi
}

# Pub/Sub pushes as an account of its own, which may do nothing else. What the service cannot take while it is away is pushed again for a week.
push() {
  local pusher="signalbox-pusher@$project.iam.gserviceaccount.com" address="https://$host/push/pubsub"
  service_account signalbox-pusher "Pushes of Pub/Sub to Signalbox"
  # Pub/Sub's agent makes the pusher's tokens.
  gcloud iam service-accounts add-iam-policy-binding "$pusher" --project="$project" --quiet \
    --member="serviceAccount:$1" --role=roles/iam.serviceAccountTokenCreator > /dev/null
  topic "$pushed_topic"
  subscription "signalbox-push-$pushed_topic" "$pushed_topic" --ack-deadline=30 --message-retention-duration=7d --min-retry-delay=10s --max-retry-delay=600s \
    --push-endpoint="$address" --push-auth-service-account="$pusher" --push-auth-token-audience="$address"
  echo "SIGNALBOX_PUSH=[{\"tenant\":\"default\",\"audience\":\"$address\",\"emails\":[\"$pusher\"]}]"
}

exists() { "$@" > /dev/null 2>&1; }

service_account() {
  exists gcloud iam service-accounts describe "$1@$project.iam.gserviceaccount.com" --project="$project" ||
    gcloud iam service-accounts create "$1" --display-name="$2" --project="$project" --quiet
}

role() {
  gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$1" --role="$2" --condition=None --quiet > /dev/null
}

# The Kubernetes service account of the same name acts as this one; no key file exists.
identity() {
  gcloud iam service-accounts add-iam-policy-binding "$1" --project="$project" --quiet \
    --member="serviceAccount:$project.svc.id.goog[signalbox/$2]" --role=roles/iam.workloadIdentityUser > /dev/null
}

topic() {
  exists gcloud pubsub topics describe "$1" --project="$project" || gcloud pubsub topics create "$1" --project="$project" --quiet
}

subscription() {
  local name="$1" topic="$2"
  shift 2
  exists gcloud pubsub subscriptions describe "$name" --project="$project" ||
    gcloud pubsub subscriptions create "$name" --topic="$topic" --expiration-period=never "$@" --project="$project" --quiet
}

publisher() {
  gcloud pubsub topics add-iam-policy-binding "$2" --member="serviceAccount:$1" --role=roles/pubsub.publisher --project="$project" --quiet > /dev/null
}

subscriber() {
  gcloud pubsub subscriptions add-iam-policy-binding "$2" --member="serviceAccount:$1" --role=roles/pubsub.subscriber --project="$project" --quiet > /dev/null
}

main
